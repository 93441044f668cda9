"""The write path's doors and the one function behind them."""
