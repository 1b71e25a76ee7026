"""An inventory whose groups are all empty."""

edge = []
app = []
db = []
