module webhook_handler

go 1.22
