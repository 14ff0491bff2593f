// JavaScript: functions that the engine compiles while they run. With --perf-basic-prof it tells their names.
'use strict';

function leafOfScript(n) {
  let x = n;
  for (let i = 0; i < n; i++) x = (x * 3) ^ i;
  return x;
}

function middleOfScript(n) {
  return leafOfScript(n) + 1;
}

function outerOfScript(milliseconds) {
  let x = 0;
  const from = process.cpuUsage().user;
  while (process.cpuUsage(undefined).user - from < milliseconds * 1000) x += middleOfScript(3000000);
  return x;
}

outerOfScript(1000 * (Number(process.argv[2]) || 0.1));
