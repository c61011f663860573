"""Where replay keeps its steps: only filled ones, in pages, in the smallest exact encoding.

memory    arrays that cost nothing before they are written; what the machine has left
pages     which rows of such an array belong to which episode
codecs    how one step of one field is written down
columns   one field of all stored steps: a codec over a paged array
store     all fields of all episodes
held      episodes that are still being read while later ones take their places
"""
