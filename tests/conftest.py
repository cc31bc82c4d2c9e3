import hypothesis

# A shared machine may pause for longer than hypothesis' 200 ms; pytest's own timeout catches what hangs.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")
