"""Amazon's services, by boto3; nothing here is imported unless settings ask for it."""
