// SPDX-License-Identifier: Apache-2.0
// The other side of hdr_interop.c, by hdr-histogram-js. Both print what they see as JSON, and both
// write the same kind of log:
//   node hdr_interop.js read FILE 64|packed     what this library reads in a log
//   node hdr_interop.js write FILE 64|packed    writes a log, and prints what it recorded
"use strict";
const fs = require("fs");
const hdr = require("hdr-histogram-js");

const PERCENTILES = [0, 1, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.9, 99.99, 99.999, 100];

function describe(histogram) {
  const counts = [];
  const end = histogram.countsArrayIndex(histogram.maxValue);
  for (let i = 0; i <= end; i++) {
    const count = histogram.getCountAtIndex(i);
    if (count > 0) counts.push([histogram.highestEquivalentValue(histogram.valueFromIndex(i)), count]);
  }
  // This library adds the width of the lowest unit to its maximum a second time when it decodes; the
  // Java library does not, and neither does anything else here. 0 where the unit is 1.
  const unit = 2 ** Math.floor(Math.log2(histogram.lowestDiscernibleValue));
  const zero = histogram.getCountAtIndex(0) > 0 || histogram.totalCount === 0;
  return {
    lowest: histogram.lowestDiscernibleValue,
    highest: histogram.highestTrackableValue,
    figures: histogram.numberOfSignificantValueDigits,
    total: histogram.totalCount,
    min: zero ? 0 : histogram.minNonZeroValue,
    max: histogram.maxValue - (histogram.totalCount > 0 ? unit - 1 : 0),
    mean: histogram.mean,
    stddev: histogram.stdDeviation,
    percentiles: PERCENTILES.map((p) => histogram.getValueAtPercentile(p)),
    counts,
    table: histogram.outputPercentileDistribution(5, 1e6),
  };
}

function read(file, bits) {
  const reader = new hdr.HistogramLogReader(fs.readFileSync(file, "utf8"), bits);
  const entries = [];
  for (let next = reader.nextIntervalHistogram(); next; next = reader.nextIntervalHistogram()) {
    entries.push({
      tag: next.tag === "NO TAG" ? null : next.tag,
      startMs: Math.round(next.startTimeStampMsec),
      lengthMs: Math.round(next.endTimeStampMsec - next.startTimeStampMsec),
      ...describe(next),
    });
  }
  return entries;
}

// A small generator of its own, so that the contents differ from the other side's and every run
// has the same.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function filled(bits, index) {
  const histogram = hdr.build({
    lowestDiscernibleValue: index === 3 ? 1000 : 1,
    highestTrackableValue: 3600000000000,
    numberOfSignificantValueDigits: 1 + (index % 3),
    bitBucketSize: bits,
    autoResize: false,
  });
  const random = generator(index + 1);
  const values = [0, 1, 100, 1000, 5000][index];
  for (let i = 0; i < values; i++) {
    const value = Math.floor(-Math.log(1 - random()) * 10 ** (3 + (i % 6)));
    histogram.recordValueWithCount(Math.min(value, 3600000000000), 1 + Math.floor(random() * 1000));
  }
  if (index === 4) histogram.recordValueWithCount(77, 2 ** 40);
  return histogram;
}

function write(file, bits) {
  const lines = [];
  const writer = new hdr.HistogramLogWriter((text) => lines.push(text));
  const start = 1763712345000;
  writer.outputLogFormatVersion();
  writer.outputStartTime(start);
  writer.outputLegend();
  const entries = [];
  for (let index = 0; index < 5; index++) {
    const histogram = filled(bits, index);
    if (index % 2 === 1) histogram.tag = `phase-${index}`;
    histogram.startTimeStampMsec = start + 250 * index;
    histogram.endTimeStampMsec = start + 250 * index + 250;
    writer.outputIntervalHistogram(histogram, undefined, undefined, 1e6);
  }
  fs.writeFileSync(file, lines.join(""));
  return read(file, bits);
}

const [command, file, kind] = process.argv.slice(2);
const bits = kind === "packed" ? "packed" : 64;
console.log(JSON.stringify({ read, write }[command](file, bits)));
