"""The verbs: one file each, imported when it is used; each exports `command`."""
