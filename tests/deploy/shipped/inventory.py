"""Production's hosts. Replace the name and the address; a single host has all three roles.

The order of `app` is the order in which a release goes over the hosts.
"""

production = [("web1.example.org", {"ssh_hostname": "203.0.113.10"})]
edge = ["web1.example.org"]
app = ["web1.example.org"]
db = ["web1.example.org"]
