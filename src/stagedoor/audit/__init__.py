"""The audit trail: who changed what, and what the product deleted by itself."""
