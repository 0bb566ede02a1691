// Empty in place of pycortex's file of this name, which would look for a hand tracker on the reader's machine.
