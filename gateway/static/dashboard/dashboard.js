// Keeps the dashboard up to date: the parts of the page as the server draws them, and charts of the last minutes.
"use strict";

(() => {
  const HISTORY_SECONDS = 300;
  const page = document.querySelector("main.dashboard");
  const connection = document.getElementById("connection");
  const parts = new Map([...document.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
  // The server has escaped what it shows; no other HTML gets onto the page.
  const policy = window.trustedTypes?.createPolicy("portico-dashboard", { createHTML: (html) => html });
  const shown = new Map();
  let points = [];
  let charts = [];

  function say(words, state) {
    if (connection.dataset.state === state) return;
    connection.dataset.state = state;
    connection.textContent = words;
  }

  /** What somebody marks, or has the focus in, stays until they are done. */
  function isInUse(part) {
    const marked = getSelection();
    return part.contains(document.activeElement) || (!marked.isCollapsed && part.contains(marked.anchorNode));
  }

  function show(name, html) {
    const part = parts.get(name);
    if (part === undefined || shown.get(name) === html || isInUse(part)) return;
    shown.set(name, html);
    part.innerHTML = policy ? policy.createHTML(html) : html;
  }

  function colourOf(element) {
    return getComputedStyle(element).color;
  }

  function drawn(canvas) {
    const swatches = [...canvas.closest("figure").querySelectorAll("[data-series]")];
    const quiet = colourOf(canvas.closest("figure").querySelector(".quiet"));
    const grid = colourOf(canvas);
    return new Chart(canvas, {
      type: "line",
      data: {
        datasets: swatches.map((swatch, place) => ({
          label: swatch.dataset.series,
          data: [],
          borderColor: colourOf(swatch),
          backgroundColor: colourOf(swatch),
          borderWidth: 2,
          borderDash: [[], [6, 3], [2, 3]][place],
          pointRadius: 0,
          pointHitRadius: 8,
          spanGaps: false,
        })),
      },
      options: {
        animation: false,
        parsing: false,
        normalized: true,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: {
            type: "linear",
            min: -HISTORY_SECONDS,
            max: 0,
            ticks: { color: quiet, stepSize: 60, callback: (seconds) => (seconds ? `${seconds / 60} min` : "now") },
            grid: { color: grid },
          },
          y: { beginAtZero: true, suggestedMax: 1, ticks: { color: quiet, maxTicksLimit: 5 }, grid: { color: grid } },
        },
        plugins: {
          legend: { display: false },
          tooltip: { callbacks: { title: ([item]) => `${Math.round(-item.parsed.x)} s ago` } },
        },
      },
    });
  }

  function plot() {
    const now = points.at(-1)?.at ?? 0;
    points = points.filter((point) => point.at >= now - HISTORY_SECONDS);
    for (const chart of charts) {
      const name = chart.canvas.dataset.chart;
      for (const dataset of chart.data.datasets) {
        dataset.data = points.map((point) => ({ x: point.at - now, y: point[name][dataset.label] }));
      }
      chart.update("none");
    }
  }

  function draw() {
    for (const chart of charts) chart.destroy();
    charts = [...document.querySelectorAll("canvas[data-chart]")].map(drawn);
    plot();
  }

  function follow() {
    const source = new EventSource(page.dataset.events);
    source.addEventListener("history", (event) => {
      points = JSON.parse(event.data);
      plot();
    });
    source.addEventListener("snapshot", (event) => {
      const { state, point, parts: drawnParts } = JSON.parse(event.data);
      for (const [name, html] of Object.entries(drawnParts)) show(name, html);
      points.push(point);
      plot();
      say(`Live: ${state}.`, `live ${state}`);
    });
    source.addEventListener("ended", () => {
      source.close();
      location.reload(); // to the form to sign in
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        say("Not live: the server said no. Reload to go on.", "refused");
      } else {
        say("Not live: reconnecting.", "reconnecting");
      }
    });
  }

  document.querySelector(".charts").hidden = false;
  say("Connecting.", "connecting");
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  follow();
})();
