"""Fourier neural operators: FNO in its published and modern forms, TFNO, IFNO and IUFNO."""
