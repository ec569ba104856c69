// Charts of how it was: uPlot, in the colours of the page.
"use strict";

const Charts = (() => {
  const HEIGHT = 210;
  const drawn = new Map();

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Numbers as people say them: 1.2 k, 3.4 M, 5 G.
  const short = (value, unit = "") => {
    const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
    const step = steps.find(([size]) => Math.abs(value) >= size);
    const text = step ? (value / step[0]).toFixed(Math.abs(value) / step[0] < 10 ? 2 : 1) + " " + step[1]
      : Number.isInteger(value) ? String(value) + (unit ? " " : "") : value.toFixed(1) + (unit ? " " : "");
    return text + unit;
  };

  const options = (width, lines, unit) => ({
    width, height: HEIGHT,
    cursor: { drag: { setScale: false }, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [
      { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } },
      { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 62,
        values: (_, ticks) => ticks.map(tick => short(tick)) },
    ],
    series: [
      { label: "time" },
      ...lines.map((line, at) => ({
        label: line.name, stroke: colour(`--c${at % 7 + 1}`), width: 1.5, points: { show: false },
        fill: lines.length === 1 ? colour("--c1") + "22" : undefined,
        value: (_, value) => value === null ? "–" : short(value, unit),
      })),
    ],
  });

  // Draws lines over times, in milliseconds; a chart whose lines are others is made anew.
  const draw = (id, times, lines, unit) => {
    const place = document.getElementById(id);
    const names = lines.map(line => line.name).join("\n");
    const data = [times.map(time => time / 1000), ...lines.map(line => line.values)];
    let chart = drawn.get(id);
    if (chart && chart.names === names) {
      chart.plot.setData(data);
      chart.data = data;
      return;
    }
    if (chart) chart.plot.destroy();
    chart = { names, data, lines, unit, plot: new uPlot(options(place.clientWidth || 400, lines, unit), data, place) };
    drawn.set(id, chart);
  };

  // The size and the colours of the window have changed.
  const again = () => {
    for (const [id, chart] of drawn) {
      chart.plot.destroy();
      const place = document.getElementById(id);
      chart.plot = new uPlot(options(place.clientWidth || 400, chart.lines, chart.unit), chart.data, place);
    }
  };
  let waiting;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(again, 150); };
  addEventListener("resize", soon);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);

  return { draw, short };
})();
