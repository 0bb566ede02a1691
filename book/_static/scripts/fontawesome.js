// In place of the theme's file of this name (1.5 MB): icons come from a font, icons.woff (see book.css).
