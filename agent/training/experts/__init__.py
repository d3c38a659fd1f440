"""Experts: functions from the state of a MiniWoB++ page to the next action, to learn from."""
