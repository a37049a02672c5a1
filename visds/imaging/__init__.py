"""Images of the residual visibilities, and what is measured on them."""
