// Wires the page together, once everything is there.
for (const field of data.fields) $("map-colour").append(make("option", field.title, { value: field.key }));
for (const label of new Set(data.label.filter((one) => one !== null))) $("map-labels").append(make("option", "", { value: label }));
$("map-colour").addEventListener("change", (event) => setColour(event.target.value));
$("map-find").addEventListener("input", (event) => find(event.target.value));
$("map-find").addEventListener("keydown", (event) => event.key === "Enter" && state.found && step(1));
$("map-find-select").addEventListener("click", () => state.found && select([...state.found].filter(isShown), "only"));
$("map-pictures").addEventListener("change", (event) => ((state.pictures = event.target.checked), refresh()));
$("map-all").addEventListener("click", () => ((state.hidden = new Set()), legend()));
for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
for (const [id, act] of [["map-in", () => KEYS["+"]()], ["map-out", () => KEYS["-"]()], ["map-fit", fit]]) $(id).addEventListener("click", act);
for (const strip of document.querySelectorAll("[data-rows]")) {
  strip.append(...JSON.parse(strip.dataset.rows).map(pictureButton));
}
for (const button of document.querySelectorAll("[data-cluster]")) {
  button.addEventListener("click", () => {
    const of = Number(button.dataset.cluster);
    select([...data.uri.keys()].filter((i) => fields.get("cluster").of[i] === of), "only");
    canvas.focus();
  });
}
changed.add(draw).add(showTip).add(toAddressSoon);
darkness.addEventListener("change", legend);
addEventListener("hashchange", () => location.hash !== written && fromAddress());
new ResizeObserver(resize).observe(canvas);
setMode("move");
setColour(state.colour);
pin(-1);
select([], "only");
resize();
fromAddress();
document.body.classList.add("ready");
