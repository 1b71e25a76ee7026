"""Hosts as people have them: what one is asked, and what is made of its answers. No distribution's number decides."""
