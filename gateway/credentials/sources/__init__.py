"""Where the secrets of configured credentials come from, one file each; `registry` names them."""
