"""The report: one HTML file that shows what a personalization did, whether it helped, and where not to trust it."""
