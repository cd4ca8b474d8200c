# ruff: noqa: E501 - one cue's line is one line
"""What drones write into subtitles, one cue each: forms that are in no test folder, each with what it has to be read as.

Made up in the forms that owners, converters and manuals show, with places of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from evidence.telemetry import Quantity

Q = Quantity


@dataclass(frozen=True, slots=True)
class Dialect:
    body: str
    """One cue's text; {n} is its number, {ms} the milliseconds within a second."""
    means: dict[Q, float] = field(default_factory=dict)
    clock: str = ""
    """Date and time of the first cue, if the text gives it."""


LONDON = {Q.LATITUDE: 51.500729, Q.LONGITUDE: -0.124625}
_OLD_HEAD = '<font size="36">SrtCnt : {n}, DiffTime : 33ms\n2022-07-10 19:59:42,210,511\n'
_HEAD = '<font size="28">FrameCnt: {n}, DiffTime: 33ms\n2024-06-14 20:15:47.042\n'
_AT = "[latitude: 51.500729] [longitude: -0.124625]"
_OLD_CLOCK, _CLOCK = "2022-07-10T19:59:42.210511", "2024-06-14T20:15:47.042"

DIALECTS: dict[str, Dialect] = {
    "Mini 3 Pro": Dialect(
        _OLD_HEAD.replace("42,210,511", "42.210")
        + f"[iso : 2700] [shutter : 1/30.0] [fnum : 170] [ev : 0] [ct : 5023] [color_md : default] [focal_len : 240] "
        f"[dzoom_ratio: 10000, delta:0],{_AT} [rel_alt: 1.300 abs_alt: 132.860] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 1.3, Q.HEIGHT_SEA: 132.86, Q.FOCAL_LENGTH_35: 24.0},
        "2022-07-10T19:59:42.210",
    ),
    "Mini 4 Pro": Dialect(
        _HEAD + f"[iso: 100] [shutter: 1/320.0] [fnum: 1.7] [ev: 0] [color_md: dlog_m] [focal_len: 24.00] {_AT} "
        "[rel_alt: -5.300 abs_alt: 23.057] [ct: 5746] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: -5.3, Q.HEIGHT_SEA: 23.057, Q.FOCAL_LENGTH_35: 24.0},
        _CLOCK,
    ),
    "Air 3, its tele camera with tint and zoom": Dialect(
        _HEAD + f"[iso: 100] [shutter: 1/320.0] [fnum: 2.8] [ev: 0] [color_md: hlg] [focal_len: 70.00] [dzoom_ratio: 1.50] "
        f"{_AT} [rel_alt: 12.000 abs_alt: 60.500] [ct: 4429, tint: 3] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 12.0, Q.HEIGHT_SEA: 60.5, Q.FOCAL_LENGTH_35: 105.0},
        _CLOCK,
    ),
    "Mavic 3 Enterprise": Dialect(
        _HEAD
        + f"[iso: 100] [shutter: 1/573.66] [fnum: 2.8] [ev: 0] [color_md : default] [ae_meter_md: 1] [focal_len: 24.00] "
        f"[dzoom_ratio: 1.00], {_AT} [rel_alt: 27.531 abs_alt: 180.971] "
        "[gb_yaw: -35.1 gb_pitch: -89.1 gb_roll: 0.0] [rtk_flag: 50] </font>",
        LONDON
        | {
            Q.HEIGHT_TAKEOFF: 27.531,
            Q.CAMERA_YAW: -35.1,
            Q.CAMERA_PITCH: -89.1,
            Q.CAMERA_ROLL: 0.0,
            Q.FOCAL_LENGTH_35: 24.0,
            Q.ACCURACY_HORIZONTAL: 0.05,
        },
        _CLOCK,
    ),
    "Mavic 3 Thermal, long lens": Dialect(
        _HEAD + f"[focal_len: 240.70] [dzoom_ratio: 2.00], {_AT} [rel_alt: 75.645 abs_alt: 227.888] "
        "[gb_yaw: 76.8 gb_pitch: -49.1 gb_roll: 0.0] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 75.645, Q.CAMERA_PITCH: -49.1, Q.FOCAL_LENGTH_35: 481.4},
        _CLOCK,
    ),
    "Mavic 3 Thermal whose last bracket stays open": Dialect(
        _HEAD + f"[focal_len: 40.00] [dzoom_ratio: 1.00], {_AT} [rel_alt: 75.645 abs_alt: 227.888] "
        "[gb_yaw: 76.8 gb_pitch: -49.1 gb_roll: 2.5</font>",
        LONDON | {Q.CAMERA_YAW: 76.8, Q.CAMERA_PITCH: -49.1, Q.CAMERA_ROLL: 2.5},
        _CLOCK,
    ),
    "Matrice 4E, embedded, date beside the count": Dialect(
        "FrameCnt: {n} 2026-03-30 11:53:23.539\n[iso: 240] [shutter: 1/2500.0] [fnum: 2.8] [ev: 0] [color_md: default]\n"
        f"[ae_meter_md: 1] [focal_len: 24.00] [dzoom_ratio: 1.00],\n{_AT}\n[rel_alt: 0.000 abs_alt: 541.387]\n"
        "[gb_yaw: -68.3 gb_pitch: 0.0 gb_roll: 0.0]\n[ir_gain_mode: 0]",
        LONDON | {Q.HEIGHT_TAKEOFF: 0.0, Q.HEIGHT_SEA: 541.387, Q.CAMERA_YAW: -68.3, Q.CAMERA_PITCH: 0.0},
        "2026-03-30T11:53:23.539",
    ),
    "Matrice 300 with H20T, a blank line and a 0 inside": Dialect(
        _HEAD + f"[fnum: 1.0] [focal_len: 58.00] [dzoom: 1.79]\n{_AT} [rel_alt: 40.162 abs_alt: 97.829]\n"
        "[drone_speedx: 3.0 drone_speedy: 4.0 drone_speedz: -0.5]\n[drone_yaw: -20.4 drone_pitch: 2.4 drone_roll: -2.1]\n"
        "[gb_yaw: -30.0 gb_pitch: -29.9 gb_roll: 0.0]\n\n0\n[dzoom_ratio: 17871, delta:0] [color_md : default]\n</font>",
        LONDON
        | {
            Q.HEIGHT_TAKEOFF: 40.162,
            Q.PLATFORM_YAW: -20.4,
            Q.PLATFORM_PITCH: 2.4,
            Q.PLATFORM_ROLL: -2.1,
            Q.CAMERA_YAW: -30.0,
            Q.CAMERA_PITCH: -29.9,
            Q.SPEED: 5.0,
            Q.COURSE: 53.130102,
            Q.CLIMB: 0.5,
            Q.FOCAL_LENGTH_35: 58 * 1.79,
        },
        _CLOCK,
    ),
    "Matrice 30T in brackets of one each": Dialect(
        _HEAD
        + "[latitude: 51.500729] [longitude: -0.124625] [altitude: 83.521004] [gimbal_yaw: 12.0] [gimbal_pitch: -45.0] "
        "[gimbal_roll: 0.0] [rtk_std_lon: 0.012] [rtk_std_lat: 0.018] [rtk_std_hgt: 0.03] </font>",
        LONDON
        | {
            Q.HEIGHT_SEA: 83.521004,
            Q.CAMERA_YAW: 12.0,
            Q.CAMERA_PITCH: -45.0,
            Q.ACCURACY_HORIZONTAL: 0.018,
            Q.ACCURACY_VERTICAL: 0.03,
        },
        _CLOCK,
    ),
    "Mavic 2 Enterprise, thermal": Dialect(
        '<font size="36">FrameCnt : {n}, DiffTime : 114ms\n2022-09-08 06:26:55,549,370\n[color_md : default] '
        "[latitude: 51.500729] [longtitude: -0.124625] [altitude: 28.736000] [Drone: Yaw:-146.0, Pitch:-0.6, Roll:1.3] </font>",
        LONDON | {Q.HEIGHT_SEA: 28.736, Q.PLATFORM_YAW: -146.0, Q.PLATFORM_PITCH: -0.6, Q.PLATFORM_ROLL: 1.3},
        "2022-09-08T06:26:55.549370",
    ),
    "Drone and gimbal as groups": Dialect(
        _HEAD + f"{_AT} [rel_alt: 50.6 abs_alt: 300] [Drone: Yaw:1.9, Pitch:-3.1, Roll:1.5] "
        "[Gimbal: Yaw:10.0, Pitch:-45.0, Roll:0.0] [weird_token] [unknown: ???] </font>",
        LONDON | {Q.PLATFORM_YAW: 1.9, Q.PLATFORM_PITCH: -3.1, Q.CAMERA_YAW: 10.0, Q.CAMERA_PITCH: -45.0},
        _CLOCK,
    ),
    "Air 2 with its height in whole tenths": Dialect(
        _OLD_HEAD + f"[iso : 100] [shutter : 1/500.0] [fnum : 280] [ev : 0] [ct : 5500] [focal_len : 224] {_AT} "
        "[altitude: 35.400000] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 35.4, Q.FOCAL_LENGTH_35: 22.4},
        _OLD_CLOCK,
    ),
    "FPV and Avata in one line": Dialect(
        '<font size="36">SrtCnt : {n}, DiffTime : 16ms 2023-01-12 10:20:30,123,456 [iso : 100] [shutter : 1/400.0] [fnum : 280] '
        "[ev : 0] [ct : 5500] [color_md : default] [focal_len : 0] [latitude : 51.500729] [longtitude : -0.124625] "
        "[altitude : 101.502998] </font>",
        LONDON | {Q.HEIGHT_SEA: 101.502998},
        "2023-01-12T10:20:30.123456",
    ),
    "Avata 360 with a frame number and stabilisation": Dialect(
        '<font size="28">FrameCnt: {n}, DiffTime: 40ms\n2026-05-27 13:14:22.911\n[FrameId: 17] [iso: 200] [shutter: 1/6400.0] '
        f"[fnum: 1.8] [ev: -0.7] [color_md: dlog_m] [dzoom_ratio: 1.00] [eis: 0 shift x: 0.0 y: 0.0] [pp_mode: 1] {_AT} "
        "[rel_alt: 6.000 abs_alt: -122.769] [gb_yaw: 0.0 gb_pitch: -15.0 gb_roll: 0.0] </font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 6.0, Q.HEIGHT_SEA: -122.769, Q.CAMERA_PITCH: -15.0},
        "2026-05-27T13:14:22.911",
    ),
    "Neo 2, stabilised, without a lens": Dialect(
        _HEAD
        + "[iso: 400] [shutter: 1/640.0] [fnum: 2.2] [ev: 0] [ct: 5631] [color_md: default] [ae_meter_md: 0] "
        + _AT
        + " [rel_alt: 0.100 abs_alt: 114.000] [vsync: 1602] [eis: normal] [shift x: 0.00, y: 0.00] [pp_timestamp:0] "
        "[pp_target:0.996, -0.004, -0.053, -0.075] [pp_limit_ratio:1.0000] [pp_imu_td:0]</font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 0.1, Q.HEIGHT_SEA: 114.0},
        _CLOCK,
    ),
    "bare angles of a camera that looks down": Dialect(
        "GPS(51.5007, -0.1246, 15.5) BAROMETER:15.2\nISO:400 Shutter:1/1000 Fnum:2.8 EV:-0.7\n[Pitch:-45.0] [Yaw:131.9] [Roll:0.2]",
        {Q.LATITUDE: 51.5007, Q.HEIGHT_TAKEOFF: 15.2, Q.CAMERA_PITCH: -45.0, Q.CAMERA_YAW: 131.9},
    ),
    "third number always zero": Dialect(
        "GPS(38.273142, -89.792487, 0) BAROMETER:189.94",
        {Q.LATITUDE: 38.273142, Q.LONGITUDE: -89.792487, Q.HEIGHT_TAKEOFF: 189.94},
    ),
    "Mini 2 and Mini SE": Dialect(
        "F/2.8, SS 1950.57, ISO 100, EV 0, DZOOM 2.000, GPS (-0.1246, 51.5007, 21), D 118.43m, H -1.50m, H.S 2.30m/s, V.S -0.00m/s",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: -1.5, Q.SPEED: 2.3, Q.CLIMB: 0.0},
    ),
    "Mini with metres of altitude in GPS": Dialect(
        "F/2.8, SS 100, ISO 100, EV 0, GPS (-0.1246, 51.5007, 87.3), D 18.43m, H 30.00m, H.S 0.00m/s, V.S 0.00m/s",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: 30.0, Q.HEIGHT_SEA: 87.3},
    ),
    "Spark and Inspire 2 lines": Dialect(
        "HOME(-0.1240,51.5001) 2018.03.04 09:05:06\nGPS(-0.1246,51.5007,14) BAROMETER:25.3\nISO:100 Shutter:60 EV: 0 Fnum:2.6",
        {
            Q.LATITUDE: 51.5007,
            Q.LONGITUDE: -0.1246,
            Q.HOME_LATITUDE: 51.5001,
            Q.HOME_LONGITUDE: -0.1240,
            Q.HEIGHT_TAKEOFF: 25.3,
        },
        "2018-03-04T09:05:06",
    ),
    "Phantom 3": Dialect(
        "HOME(-0.1240,51.5001) 2016.8.5 14:1:51\nGPS(-0.1246,51.5007,16) Hb:11.9 Hs:1.2\nISO:100 TV:60 EV: 0 IR:F2.8",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: 11.9, Q.HEIGHT_GROUND: 1.2},
        "2016-08-05T14:01:51",
    ),
    "Phantom 4 RTK": Dialect(
        "F/6.3, SS 60, ISO 100, EV 0, RTK (-0.124625, 51.500729, 28), HOME (-0.124000, 51.500100, 103.55m), D 82.30m, H 76.19m, "
        "H.S 0.30m/s, V.S 0.00m/s, F.PRY (-5.3°, 2.1°, 28.3°), G.PRY (-40.0°, 0.0°, 28.2°)",
        LONDON
        | {
            Q.HEIGHT_TAKEOFF: 76.19,
            Q.PLATFORM_PITCH: -5.3,
            Q.PLATFORM_ROLL: 2.1,
            Q.PLATFORM_YAW: 28.3,
            Q.CAMERA_PITCH: -40.0,
            Q.CAMERA_YAW: 28.2,
        },
    ),
    "Matrice 210 with XT2": Dialect(
        "2023.08.07 20:10:01\nGPS(51.5007,-0.1246,0.0M) BAROMETER:97.7M",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: 97.7},
        "2023-08-07T20:10:01",
    ),
    "latitude first, as beyond 90 shows, with equals signs": Dialect(
        "GPS(39.906217,116.391305,69.800) BAROMETER(91.2)\nHOME(39.906206,116.391400) D=5.2m H=1.5m",
        {
            Q.LATITUDE: 39.906217,
            Q.LONGITUDE: 116.391305,
            Q.HEIGHT_TAKEOFF: 1.5,
            Q.HEIGHT_SEA: 69.8,
            Q.HOME_LONGITUDE: 116.3914,
        },
    ),
    "a camera's inner values before the flight": Dialect(
        "No:{n}, F/2.8, SS 155.55, ISO 100, EV 0, M.M AE_METER_CENTER, A.T (126,109), Luma 106, Coef(1.000000, 1.000000), "
        "FaceDetectRect (0,0,0,0,), Index (Ev:10085,Nf:0), E.M 0, AERect(n/a), LeCurve(64) (1024,1024,128,), AfSpd 0/0, "
        "Af Rect(X:0, Y:0, W:0, H:0), B.L (-1020, -1020), Isp Info (PIPE 1,ADJ 0,De 0) GPS (-0.1246, 51.5007, 15), D 0.61m, "
        "H 1.00m, H.S 0.00m/s, V.S 0.00m/s ",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: 1.0, Q.SPEED: 0.0},
    ),
    "Autel, with letters of the compass": Dialect(
        "HOME(W: 0.124000, N: 51.500100) 2025-08-27 13:21:35\nGPS(W: 0.124625, N: 51.500729, 174.21m)\n"
        "ISO:105 SHUTTER:500 EV:0.0 F-NUM:2.8",
        LONDON | {Q.HOME_LATITUDE: 51.5001, Q.HOME_LONGITUDE: -0.124, Q.HEIGHT_SEA: 174.21},
        "2025-08-27T13:21:35",
    ),
    "letters behind the numbers": Dialect(
        "GPS (51.500729N, 0.124625W, 20) BAROMETER:12.0", LONDON | {Q.HEIGHT_TAKEOFF: 12.0}
    ),
    "letters in brackets": Dialect(
        "[latitude: 51.500729N] [longitude: 0.124625 W] [rel_alt: 12.5 m] [abs_alt: 60 m]", LONDON
    ),
    "degrees, minutes and seconds": Dialect(
        "[latitude: 51°30'2.6244\"N] [longitude: 0°07'28.65\"W] [rel_alt: 3.0 abs_alt: 9.0]",
        LONDON | {Q.HEIGHT_TAKEOFF: 3.0},
    ),
    "decimal commas in brackets": Dialect(
        "[latitude: 51,500729] [longitude: -0,124625] [rel_alt: 12,300 abs_alt: 55,100] [gb_yaw: 1,5 gb_pitch: -90,0 gb_roll: 0,0]",
        LONDON | {Q.HEIGHT_TAKEOFF: 12.3, Q.HEIGHT_SEA: 55.1, Q.CAMERA_YAW: 1.5, Q.CAMERA_PITCH: -90.0},
    ),
    "decimal commas in parentheses": Dialect(
        "F/2,8, SS 100, ISO 100, EV 0, GPS (-0,1246, 51,5007, 16), D 49,21m, H 45,60m, H.S 1,20m/s, V.S 0,00m/s",
        {Q.LATITUDE: 51.5007, Q.LONGITUDE: -0.1246, Q.HEIGHT_TAKEOFF: 45.6, Q.SPEED: 1.2},
    ),
    "no spaces at all": Dialect(
        "[iso:100][shutter:1/500][latitude:51.500729][longitude:-0.124625][rel_alt:12.3,abs_alt:60.5][gb_yaw:5.0,gb_pitch:-30.0,gb_roll:0.0]",
        LONDON | {Q.HEIGHT_TAKEOFF: 12.3, Q.HEIGHT_SEA: 60.5, Q.CAMERA_YAW: 5.0, Q.CAMERA_PITCH: -30.0},
    ),
    "capitals and wide spacing": Dialect(
        "[ LATITUDE  :  51.500729 ] [ LONGITUDE  :  -0.124625 ] [ REL_ALT  :  7.5 ]", LONDON
    ),
    "spaces for colons": Dialect("[latitude 51.500729] [longitude -0.124625] [rel_alt 57.2 abs_alt 204.6]", LONDON),
    "as JSON": Dialect(
        '{{"frame": {n}, "latitude": 51.500729, "longitude": -0.124625, "rel_alt": 10.5, "abs_alt": 60.0, '
        '"gimbal": {{"yaw": 12.5, "pitch": -45.0, "roll": 0.5}}, "drone": {{"yaw": 3.0, "pitch": 1.0, "roll": -1.0}}}}',
        LONDON
        | {
            Q.HEIGHT_TAKEOFF: 10.5,
            Q.HEIGHT_SEA: 60.0,
            Q.CAMERA_YAW: 12.5,
            Q.CAMERA_PITCH: -45.0,
            Q.PLATFORM_YAW: 3.0,
            Q.PLATFORM_ROLL: -1.0,
        },
    ),
    "JSON with heights in a group": Dialect(
        '{{"lat":51.500729,"lng":-0.124625,"alt":{{"rel":3.0,"abs":50.0}},"gimbal":{{"pitch":-45,"roll":1,"yaw":10}}}}',
        LONDON | {Q.HEIGHT_TAKEOFF: 3.0, Q.HEIGHT_SEA: 50.0, Q.CAMERA_PITCH: -45.0, Q.CAMERA_ROLL: 1.0},
    ),
    "names inside the parentheses": Dialect(
        "GPS (lon: -0.124625, lat: 51.500729, alt: 20), HOME (lat=51.500100, lon=-0.124000) BAROMETER: 12.5M",
        LONDON | {Q.HEIGHT_TAKEOFF: 12.5, Q.HEIGHT_SEA: 20.0, Q.HOME_LATITUDE: 51.5001},
    ),
    "short names without brackets": Dialect(
        "Lat: 51.500729 Lon: -0.124625 Alt: 100m Speed: 36 km/h", LONDON | {Q.HEIGHT_SEA: 100.0, Q.SPEED: 10.0}
    ),
    "names of two words": Dialect(
        "[latitude: 51.500729] [longitude: -0.124625] [relative altitude: 3.0] [absolute altitude: 5.0] [gimbal pitch: -45]",
        LONDON | {Q.HEIGHT_TAKEOFF: 3.0, Q.HEIGHT_SEA: 5.0, Q.CAMERA_PITCH: -45.0},
    ),
    "nothing but letters of the compass": Dialect("N51.500729, W0.124625 H: 12.0m", LONDON | {Q.HEIGHT_TAKEOFF: 12.0}),
    "degrees with letters and signs": Dialect("51.500729°N 0.124625°W BAROMETER: 3.5", LONDON | {Q.HEIGHT_TAKEOFF: 3.5}),
    "full-width signs": Dialect(
        "[latitude：51.500729] [longitude：-0.124625] [rel_alt：3.2]", LONDON | {Q.HEIGHT_TAKEOFF: 3.2}
    ),
    "bars": Dialect("|LAT:51.500729|LON:-0.124625|ALT:132.86|", LONDON | {Q.HEIGHT_SEA: 132.86}),
    "kilometres an hour and feet": Dialect(
        "F/2.8, SS 100, ISO 100, EV 0, GPS (-0.1246, 51.5007, 16), D 10.0ft, H 100.0ft, H.S 36.0km/h, V.S 0.0km/h",
        {Q.LATITUDE: 51.5007, Q.HEIGHT_TAKEOFF: 30.48, Q.SPEED: 10.0},
    ),
    "Skydio, above the ellipsoid and the take-off": Dialect(
        "latitude: 51.500729 longitude: -0.124625 altitude_hae: 90.10 height_above_takeoff: 35.20\n"
        "gimbal_pitch: -30.0 gimbal_yaw: 210.5 hfov: 62.0",
        LONDON
        | {
            Q.HEIGHT_ELLIPSOID: 90.1,
            Q.HEIGHT_TAKEOFF: 35.2,
            Q.CAMERA_PITCH: -30.0,
            Q.CAMERA_YAW: 210.5,
            Q.HORIZONTAL_VIEW: 62.0,
        },
    ),
    "Parrot, through a converter": Dialect(
        "GPS: 51.500729, -0.124625, Altitude: 12.4m, Speed: 3.2m/s\nDrone: yaw 45.2 pitch -2.1 roll 0.3\nCamera: pan 0.0 tilt -15.0",
        LONDON | {Q.HEIGHT_SEA: 12.4, Q.SPEED: 3.2, Q.PLATFORM_YAW: 45.2, Q.PLATFORM_ROLL: 0.3, Q.CAMERA_PITCH: -15.0},
    ),
    "Yuneec: HS and VS with units are speeds": Dialect(
        "Lat: 51.500729 N Lon: 0.124625 W Alt: 35.2 m GPS: 17 Sat Yaw: 211.2° Pitch: -2.1° Roll: 0.7° HS: 4.2 m/s VS: -0.5 m/s",
        LONDON | {Q.HEIGHT_SEA: 35.2, Q.PLATFORM_YAW: 211.2, Q.SPEED: 4.2, Q.CLIMB: -0.5},
    ),
    "Fimi: letters within GPS, and HS": Dialect(
        "GPS(N51.500729,W0.124625,16) H:35.0m D:120.0m HS:5.0m/s VS:0.0m/s 2024.05.06 12:13:14",
        LONDON | {Q.HEIGHT_TAKEOFF: 35.0, Q.SPEED: 5.0},
        "2024-05-06T12:13:14",
    ),
    "Hubsan, short names": Dialect(
        "LON:-0.124625 LAT:51.500729 ALT:35.0 DIST:20 SPD:3.4 2023/05/06 12:13:14",
        LONDON | {Q.SPEED: 3.4},
        "2023-05-06T12:13:14",
    ),
    "Autel with both attitudes": Dialect(
        "HOME(W: 0.124000, N: 51.500100) 2022-01-02 03:04:05\nGPS(W: 0.124625, N: 51.500729, 74.21m)\n"
        "ISO:105 SHUTTER:500 EV:0.0 F-NUM:2.8 F.PRY(-3.1, 0.2, -100.1), G.PRY(-20.0, 0.0, -101.0)",
        LONDON | {Q.HEIGHT_SEA: 74.21, Q.PLATFORM_PITCH: -3.1, Q.PLATFORM_YAW: -100.1, Q.CAMERA_PITCH: -20.0},
        "2022-01-02T03:04:05",
    ),
    "Matrice 4T whose laser finds a spot": Dialect(
        _HEAD + "[target_latitude: 51.502000] [target_longitude: -0.126000] [focal_len: 168.00] [dzoom_ratio: 1.00], "
        f"{_AT} [rel_alt: 100.000 abs_alt: 130.000] [gb_yaw: -10.0 gb_pitch: -40.0 gb_roll: 0.0] "
        "[lrf_distance: 154.3] [lrf_lat: 51.502000] [lrf_lon: -0.126000] [lrf_alt: 29.5]</font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 100.0, Q.HEIGHT_SEA: 130.0, Q.CAMERA_PITCH: -40.0, Q.FOCAL_LENGTH_35: 168.0},
        _CLOCK,
    ),
    "Mini 5 Pro with its gimbal in one bracket": Dialect(
        _HEAD + f"[focal_len: 24.00] {_AT} [rel_alt: 42.900 abs_alt: 78.342] [gimbal: yaw 12.0 pitch -31.0 roll 0.0]</font>",
        LONDON | {Q.HEIGHT_TAKEOFF: 42.9, Q.CAMERA_YAW: 12.0, Q.CAMERA_PITCH: -31.0},
        _CLOCK,
    ),
    "Mavic 2 high up, no whole tenths in 32 bits": Dialect(
        _OLD_HEAD + f"{_AT} [altitude: 1812.304932] </font>", LONDON | {Q.HEIGHT_SEA: 1812.304932}, _OLD_CLOCK
    ),
    "whole tenths in 32 bits": Dialect(
        _OLD_HEAD + f"{_AT} [altitude: 62.299999] </font>", LONDON | {Q.HEIGHT_TAKEOFF: 62.299999}, _OLD_CLOCK
    ),
    "degrees and decimal minutes": Dialect(
        "Latitude = 51° 30.04374' N Longitude = 0° 7.4775' W Rel Alt = 3500cm", LONDON | {Q.HEIGHT_TAKEOFF: 35.0}
    ),
    "degrees and minutes without a name": Dialect("51°30'02.6244\"N 0°07'28.65\"W BAROMETER: 35.0", LONDON),
    "coordinates in a pair, one name": Dialect(
        "GPS Coordinates: 51.500729,-0.124625 Height: 35 m", LONDON | {Q.HEIGHT_TAKEOFF: 35.0}
    ),
    "the take-off point first, in a bracket": Dialect(
        f"[home: lat 51.5, lon -0.14] {_AT} [rel_alt: 1.0 abs_alt: 2.0]",
        LONDON | {Q.HOME_LATITUDE: 51.5, Q.HOME_LONGITUDE: -0.14},
    ),
    "the take-off point and the pilot first, in words": Dialect(
        "Home Lat: 51.5 Home Lon: -0.14 Pilot Lat: 51.4 Pilot Lon: -0.15 Lat: 51.500729 Lon: -0.124625",
        LONDON | {Q.HOME_LATITUDE: 51.5, Q.HOME_LONGITUDE: -0.14},
    ),
    "the take-off point first, without brackets": Dialect(
        "Home: lat 51.5, lon -0.14 Lat: 51.500729 Lon: -0.124625", LONDON | {Q.HOME_LATITUDE: 51.5}
    ),
    "JSON with the take-off point and a target inside": Dialect(
        '{{"home":{{"lat":51.5,"lng":-0.14}},"target":{{"lat":51.6,"lng":-0.15}},"lat":51.500729,"lng":-0.124625}}',
        LONDON | {Q.HOME_LATITUDE: 51.5},
    ),
    "names with dots": Dialect(
        "home.lat=51.5 home.lon=-0.14 gps.lat=51.500729 gps.lon=-0.124625 baro.alt=3.0", LONDON | {Q.HOME_LATITUDE: 51.5}
    ),
    "sides in words": Dialect(
        "Latitude: 51.500729 North, Longitude: 0.124625 West, ATO: 35.0 ASL: 80", LONDON | {Q.HEIGHT_TAKEOFF: 35.0}
    ),
    "another sign for degrees": Dialect("Lat: 51º30'02.6244\"N Lon: 0º07'28.65\"W", LONDON),
    "heights that say above what in parentheses": Dialect(
        f"{_AT} [Altitude (rel): 35.0 m] [Altitude (abs): 80.0 m]", LONDON | {Q.HEIGHT_TAKEOFF: 35.0, Q.HEIGHT_SEA: 80.0}
    ),
    "the gimbal's attitude": Dialect(
        f"{_AT} [gimbal_attitude: pitch=-15.0 yaw=10.0 roll=0.0]", LONDON | {Q.CAMERA_PITCH: -15.0, Q.CAMERA_YAW: 10.0}
    ),
    "taken out of a video, with the player's codes": Dialect(
        "{{\\an8}}" + _HEAD + f"{_AT} [rel_alt: 1.0 abs_alt: 2.0] &nbsp;</font>", LONDON | {Q.HEIGHT_TAKEOFF: 1.0}, _CLOCK
    ),
}


def subtitles(dialect: Dialect, cues: int = 3) -> str:
    """A file of that dialect, thirty cues a second."""
    text = []
    for n in range(1, cues + 1):
        begins, ends = round((n - 1) * 1000 / 30), round(n * 1000 / 30)
        text.append(f"{n}\n00:00:{begins // 1000:02d},{begins % 1000:03d} --> 00:00:{ends // 1000:02d},{ends % 1000:03d}\n")
        text.append(_filled(dialect.body, n) + "\n\n")
    return "".join(text)


def _filled(body: str, n: int) -> str:
    return body.replace("{{", "\x01").replace("}}", "\x02").replace("{n}", str(n)).replace("\x01", "{").replace("\x02", "}")
