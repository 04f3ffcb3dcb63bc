"""Parts of the desk that stand alone in a cell of a notebook; `retry_toolkit.panels` exports them."""
