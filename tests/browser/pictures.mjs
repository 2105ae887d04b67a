// Takes a screenshot of a page: node pictures.mjs PAGE PICTURE WIDTHxHEIGHT light|dark [STEP [CHOICE]]. STEP is the position of the
// slider, CHOICE the name of a button that is pressed first.

import { launched, visited } from "./browser.mjs";

const [page, picture, size, colorScheme, step, choice] = process.argv.slice(2);
const [width, height] = size.split("x").map(Number);
const browser = await launched();
const troubles = await visited(browser, page, { viewport: { width, height }, colorScheme }, async (page) => {
  if (choice) {
    await page.getByRole("radio", { name: choice, exact: true }).check();
  }
  if (step) {
    await page.getByRole("slider").fill(step);
    await page.getByRole("slider").blur();
  }
  await page.screenshot({ path: picture });
});
await browser.close();
if (troubles.length > 0) {
  console.error(troubles.join("\n"));
  process.exitCode = 1;
}
