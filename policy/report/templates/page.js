"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const files = read("files"), charts = read("charts");
  const PAGE = 24; // cards at once
  const RELOAD_MS = 30000; // of a run that is going on

  // Pictures are decoded when they come near.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      entry.target.src = files[entry.target.dataset.file] ?? "";
      watcher.unobserve(entry.target);
    }
  }, { rootMargin: "600px" });
  for (const image of document.querySelectorAll("img[data-file]"))
    if (files[image.dataset.file]) watcher.observe(image);

  // Films take the place of their picture until they are closed.
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".play");
    if (!button) return;
    const view = button.parentElement, old = view.querySelector("video");
    if (old) {
      old.remove();
      view.classList.remove("filming");
      button.textContent = "▶ film";
      return;
    }
    const film = document.createElement("video");
    Object.assign(film, { src: files[button.dataset.film], muted: true, loop: true, autoplay: true, playsInline: true });
    view.insertBefore(film, button);
    view.classList.add("filming");
    button.textContent = "■ image";
  });

  // Colours of the style, in figures too: `var(--name)` becomes its value.
  const resolve = (value, style) => {
    if (typeof value === "string" && value.startsWith("var("))
      return style.getPropertyValue(value.slice(4, -1)).trim();
    if (Array.isArray(value)) return value.map((v) => resolve(v, style));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolve(v, style)]));
    return value;
  };
  const axis = (own) => ({ gridcolor: "var(--grid)", zeroline: false, linecolor: "var(--line)", automargin: true, nticks: 5, ...own });
  const draw = (place) => {
    const { data, layout } = charts[place.dataset.chart];
    const style = getComputedStyle(document.documentElement);
    const whole = {
      margin: { l: 34, r: 8, t: 6, b: 26 }, showlegend: false, hovermode: "x",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { size: 11, color: "var(--faint)", family: "system-ui, sans-serif" },
      hoverlabel: { bgcolor: "var(--paper)", bordercolor: "var(--line)", font: { color: "var(--ink)" } },
      legend: { orientation: "h", y: -0.2, font: { size: 10 } },
      ...layout, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    };
    Plotly.react(place, resolve(data, style), resolve(whole, style), { displayModeBar: false, responsive: true });
  };
  const plots = [...document.querySelectorAll(".plot")];
  const drawer = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      draw(entry.target);
      entry.target.dataset.drawn = "yes";
      drawer.unobserve(entry.target);
    }
  }, { rootMargin: "400px" });
  plots.forEach((plot) => drawer.observe(plot));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    plots.filter((plot) => plot.dataset.drawn).forEach(draw));

  // Filters; what they say is kept, so that a page that reloads stays as it is.
  const form = document.getElementById("filters");
  if (form) {
    const cards = [...document.querySelectorAll("#cards .card")];
    const count = document.getElementById("count"), more = document.getElementById("more");
    let limit = PAGE;
    const matches = (card, wanted) =>
      (!wanted.scene || card.dataset.scene === wanted.scene) &&
      (!wanted.verdict || card.dataset.verdict === wanted.verdict) &&
      (!wanted.reason || card.dataset.reason.split("|").includes(wanted.reason)) &&
      (!wanted.film || card.dataset.film);
    const show = () => {
      const wanted = Object.fromEntries(new FormData(form));
      let found = 0;
      for (const card of cards) card.hidden = !matches(card, wanted) || ++found > limit;
      count.textContent = `${found} of ${cards.length} scenes`;
      more.hidden = found <= limit;
      document.body.classList.toggle("no-expert", !form.elements.expert.checked);
      document.body.classList.toggle("no-answer", !form.elements.answer.checked);
      const kept = ["scene", "verdict", "reason"].filter((key) => wanted[key]).map((key) => [key, wanted[key]]);
      sessionStorage.setItem(location.pathname, JSON.stringify(Object.fromEntries(kept)));
    };
    const set = (values) => {
      for (const [key, value] of Object.entries(values))
        if (form.elements[key]) form.elements[key].value = value;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => { limit = PAGE; show(); });
    form.addEventListener("reset", () => setTimeout(() => { limit = PAGE; show(); }));
    more.addEventListener("click", () => { limit += PAGE; show(); });
    for (const link of document.querySelectorAll("a[data-reason]"))
      link.addEventListener("click", () => { form.reset(); set({ reason: link.dataset.reason }); limit = PAGE; setTimeout(show); });
    set(JSON.parse(sessionStorage.getItem(location.pathname) ?? "{}"));
    show();
  }

  // A run that is going on is looked at anew, but not while a film plays.
  if (document.getElementById("live"))
    setInterval(() => { if (!document.hidden && !document.querySelector("video")) location.reload(); }, RELOAD_MS);
})();
