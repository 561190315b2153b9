module kitestacks/standin

go 1.24
