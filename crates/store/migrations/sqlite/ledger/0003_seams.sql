-- Where other attempts went on with a stream that broke off.
ALTER TABLE requests ADD COLUMN seams TEXT;
