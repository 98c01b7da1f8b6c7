"""Files, directories, digests, disks, and texts from anywhere."""
