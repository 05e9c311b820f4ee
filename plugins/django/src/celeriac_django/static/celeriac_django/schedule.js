"use strict";
// Of the fields of each kind the page shows those of the chosen one; what they say is previewed by the server.
document.addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("celeriac-preview");
    const kind = document.getElementById("id_kind");
    const list = document.querySelector(".celeriac-runs");
    if (!place || !kind || !list) {
        return;
    }
    const form = kind.form;
    const show = () => {
        for (const fields of form.querySelectorAll("[class*='celeriac-kind-']")) {
            fields.hidden = !fields.classList.contains(`celeriac-kind-${kind.value}`);
        }
    };
    let asked = 0;
    const preview = async () => {
        const own = ++asked;
        const answer = await fetch(place.dataset.url, {method: "POST", body: new FormData(form)});
        if (!answer.ok || own !== asked) {
            return;
        }
        const {runs, wrong} = await answer.json();
        list.classList.toggle("celeriac-wrong", wrong.length > 0);
        list.replaceChildren(...(wrong.length ? wrong : runs).map((line) => {
            const item = document.createElement("li");
            item.textContent = line;
            return item;
        }));
    };
    let timer;
    const changed = () => {
        show();
        clearTimeout(timer);
        timer = setTimeout(preview, 250);
    };
    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    show();
    if (list.childElementCount) {  // a row that is there; of a new one there is nothing to say yet
        preview();
    }
});
