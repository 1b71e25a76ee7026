"""Pure code of the deploys: settings, secrets, rendering, hashing, planning.

Nothing in this package imports pyinfra or touches a host, so all of it is tested
without mocks. Facts observe, operations decide, deploys compose; this package computes.
"""
