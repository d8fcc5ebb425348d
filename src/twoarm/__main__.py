"""`python -m twoarm` is the command `twoarm`."""

from twoarm.cli import main

if __name__ == "__main__":
    main()
