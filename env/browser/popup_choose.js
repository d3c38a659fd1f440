// Gives a form control (this) a value as its own popup does, with the same events.
function (change, value) {
  const tell = kind => this.dispatchEvent(new Event(kind, {bubbles: true, composed: kind === 'input'}));
  if (change === 'done') {
    tell('change');
  } else if (this.localName !== 'select') {
    if (this.value === value) return;
    this.value = value;
    tell('input');
    if (change === 'value') tell('change');
  } else if (this.options[value] && this.selectedIndex !== value) {
    this.selectedIndex = value;
    tell('input');
    tell('change');
  }
}
