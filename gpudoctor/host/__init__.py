"""The machine, behind one door: everything that reads, asks or starts something goes through a `Host`."""
