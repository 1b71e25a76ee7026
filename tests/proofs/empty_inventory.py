"""An inventory whose groups are all empty."""

edge: list[str] = []
app: list[str] = []
db: list[str] = []
