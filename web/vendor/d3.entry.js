export { extent, groups, least, max, mean, min, nice, quantileSorted, range, rollup } from "d3-array";
export { axisBottom, axisLeft } from "d3-axis";
export { brush } from "d3-brush";
export { scaleLinear, scaleSymlog } from "d3-scale";
export { create, pointer, select } from "d3-selection";
export { area, curveLinearClosed, curveStepAfter, line, symbol, symbolCircle, symbolCross, symbolDiamond, symbolSquare, symbolStar, symbolTriangle, symbolWye } from "d3-shape";
