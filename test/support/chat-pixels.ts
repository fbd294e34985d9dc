import type { Browser } from "playwright-core";

/** Pixels that differ between two pictures of one size so that it can be seen. */
export async function differingPixels(browser: Browser, one: Buffer, other: Buffer): Promise<number> {
  const page = await browser.newPage();
  const [first, second] = [one, other].map((picture) => JSON.stringify(picture.toString("base64")));
  const count = await page.evaluate(`(async () => {
    const pixels = async (picture) => {
      const image = new Image();
      image.src = "data:image/png;base64," + picture;
      await image.decode();
      const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height).data;
    };
    const [one, other] = [await pixels(${first}), await pixels(${second})];
    // Edges are not drawn to the bit alike each time.
    return one.filter((value, index) => Math.abs(value - other[index]) > 24).length;
  })()`);
  await page.close();
  return count as number;
}
