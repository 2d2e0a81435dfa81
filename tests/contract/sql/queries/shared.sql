-- fragment: spoken
-- What the note says begins with the word.
body = :word
