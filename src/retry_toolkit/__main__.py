"""`python -m retry_toolkit`: the command line."""

from retry_toolkit.cli import main

if __name__ == "__main__":
    main()
