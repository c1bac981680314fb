// The list that `tellapart data fix` reads: what a person decided about the selected images.
const HEAD = ["accept", "uri", "action", "value", "was", "check", "why", "id", "region"];
let unsaved = false;

// Spreadsheets take a cell that begins like this for a formula, and file names come from anywhere.
const guarded = (cell) => (/^'*[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function csvText() {
  const rows = [...new Set([...state.notes.keys(), ...state.selected])].sort((a, b) => a - b);
  const lines = rows.map((i) => {
    const note = state.notes.get(i);
    const was = data.label[i] === null ? "" : data.label[i];
    const value = note ? note.value : "";
    const cells = [note ? "yes" : "no", data.uri[i], note ? note.action : "relabel", value, was, "cluster", "chosen on the map"];
    return [...cells, data.id[i], data.region[i]];
  });
  // The mark in front is what Excel knows UTF-8 by.
  return `\ufeff${[HEAD, ...lines].map((line) => line.map(guarded).map(quoted).join(",")).join("\r\n")}\r\n`;
}

function save() {
  const link = make("a", "", { download: "selection.csv" });
  link.href = URL.createObjectURL(new Blob([csvText()], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  unsaved = false;
}

function noteSelected() {
  const action = $("map-action").value;
  const value = action === "relabel" ? $("map-value").value.trim() : "";
  if (action === "relabel" && !value) return $("map-value").focus();
  for (const i of state.selected) state.notes.set(i, { action, value });
  unsaved = true;
  select([], "only");
}

$("map-note").addEventListener("click", noteSelected);
$("map-value").addEventListener("keydown", (event) => event.key === "Enter" && noteSelected());
$("map-action").addEventListener("change", () => ($("map-value").disabled = $("map-action").value !== "relabel"));
$("map-clear").addEventListener("click", () => select([], "only"));
$("map-save").addEventListener("click", save);
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
