"""The programs, one file each; nothing imports these."""
