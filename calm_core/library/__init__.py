"""A labelling project on disk: clips, labels, states, classes and history, in SQLite beside content-addressed audio files.

    ROOT/<project id>/project.db            ROOT/<project id>/clips/ab/ab12....wav          ROOT: `shelf.projects_home`

`records` what is said about clips, as values; `storage` the database file and the clips' files; `project` one open project, its acts and
their history; `shelf` all projects of a folder. Knows files and labels; knows no sound, no model and no page. Deciding what to label is
`active`, what a label means `labelling`.
"""
