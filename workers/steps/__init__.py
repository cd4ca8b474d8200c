"""The worker's side of each step: `run(tools, step_run)` fetches what it needs, has the child do it, stores what it made.

One module for each step, imported when it is first run. What touches media is in `workers/tasks/`, in the child.
"""
