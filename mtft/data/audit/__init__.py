"""What is wrong with data: files and examples in, findings out; nothing here prints or writes."""
