//! Nothing here: the programs are the files beside this folder.
