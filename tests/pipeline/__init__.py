"""The workflow files, run on this machine by `act`; what GitHub does around a run is in github.py, actions in stand_ins.py."""
