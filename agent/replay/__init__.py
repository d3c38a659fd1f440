"""The policy of a replay: a recorded reply is a draft that the model verifies in one forward."""
