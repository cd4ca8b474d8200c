"""TRACK: the raw detections of all segments become tracks over the whole video.

Inputs `raw-0.parquet`, `raw-1.parquet` … (one per segment, as DETECT made them). In `out`:

`tracks.json` (UTF-8, compact JSON), what INDEX, THUMBNAILS, ANNOTATE and REDACT read::

    {"frame_count": 302,                 # frames that really decoded, over all segments
     "frame_pts": [0, 1001, …],          # the pts of each of them; frame i of a track is frame_pts[i]
     "time_base": "1/30000",
     "size_wh": [1920, 1080],            # the upright picture that boxes are measured in
     "tracks": [wire.track_to_json, …],  # by first frame, then id; ids from 1
     "models": [{"name", "task", "sha256", "licence", "runtime", "precision", "input_wh"}, …],   # what really ran
     "looked_for": ["bicycle", "face", …],                          # labels a model was asked for, sorted
     "not_looked_for": [{"what": "plates", "reason": "not analysed: no weights"}, …]}

`what` in `not_looked_for` is a catalogue task: objects, faces or plates (people are found by the objects model).

`tracks.mot.txt`: MOT 1.1, `frame,id,x,y,w,h,score,class,visibility`, frames from 1, class = position in the sorted
list of labels that occur, from 1.

`detections.parquet`: frame (int64), pts (int64), time_base (string), box_xyxy (fixed list of 4 float32), score
(float32), label, track_id (int64, -1: in no track), model, origin (detected | tracked | interpolated).

Params: `not_looked_for` (as above, added to what the segments say).
Result: {"frames", "tracks", "labels": {label: tracks}, "looked_for", "not_looked_for", "models"}.
"""
