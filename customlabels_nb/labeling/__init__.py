"""UI-independent labelling sessions for viewing, editing, undoing and reviewing. Widgets are front ends to them."""
