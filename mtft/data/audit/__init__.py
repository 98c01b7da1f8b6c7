"""The data audit: files and examples in, findings out; nothing here prints or writes."""
