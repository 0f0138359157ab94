"""What each switch should hold: tables, registers, features, the incremental engine, deltas and the simulator.

Pure: values in, values out. Imports ``topology`` and nothing else of ours.
"""
