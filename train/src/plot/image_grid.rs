//! Pictures with captions.

use super::{Anchor, Colour, Drawing, Image, Panel, Text, title};

const TOP: f64 = 38.0;
const PAD: f64 = 12.0;
const LINE: f64 = 14.0;

/// Pictures in rows and columns, each with a caption of some lines below.
///
/// ```
/// use taper_tensor::Tensor;
/// use taper_train::plot::{Image, ImageGrid, figure};
/// let grey = Image::from_tensor(&Tensor::full([1, 28, 28], 0.5));
/// let grid = ImageGrid::new("Mistakes").columns(4).image(grey, "a coat\nseen as a shirt");
/// assert!(figure(&[grid]).to_svg().contains("seen as a shirt"));
/// ```
#[derive(Clone, Debug)]
pub struct ImageGrid {
    title: String,
    columns: usize,
    side: f64,
    images: Vec<(Image, String)>,
}

impl ImageGrid {
    /// An empty sheet with a title; eight pictures stand in a row, each 84 units wide.
    pub fn new(title: impl Into<String>) -> ImageGrid {
        ImageGrid { title: title.into(), columns: 8, side: 84.0, images: Vec::new() }
    }

    /// With another number of pictures in a row.
    pub fn columns(mut self, columns: usize) -> ImageGrid {
        self.columns = columns.max(1);
        self
    }

    /// With pictures of another width.
    pub fn side(mut self, width: f64) -> ImageGrid {
        self.side = width.max(1.0);
        self
    }

    /// Adds a picture with its caption, which may have several lines.
    pub fn image(mut self, image: Image, caption: impl Into<String>) -> ImageGrid {
        self.images.push((image, caption.into()));
        self
    }

    fn heading(&self) -> f64 {
        Text::new(0.0, 0.0, &self.title).size(15.0).bold().width()
    }

    /// Width and height of a place, and the height of its picture.
    fn place(&self) -> (f64, f64, f64) {
        let lines = || self.images.iter().flat_map(|(_, caption)| caption.lines());
        let widest = lines().map(|l| caption(0.0, 0.0, l).width()).fold(self.side, f64::max);
        let high = self.images.iter().map(|(_, c)| c.lines().count()).max().unwrap_or(0);
        let tall = self.images.iter().map(|(i, _)| self.side * i.height() as f64 / i.width().max(1) as f64);
        let tall = tall.fold(0.0, f64::max).round();
        ((widest + PAD).ceil(), tall + high as f64 * LINE + PAD + 4.0, tall)
    }
}

impl Panel for ImageGrid {
    fn size(&self) -> (f64, f64) {
        let (width, height, _) = self.place();
        let columns = self.columns.min(self.images.len()).max(1);
        let rows = self.images.len().div_ceil(self.columns);
        let width = (columns as f64 * width + PAD).max(self.heading() + 2.0 * PAD);
        (width.ceil(), (TOP + rows as f64 * height).ceil())
    }

    fn draw(&self, drawing: &mut Drawing) {
        let (width, height, tall) = self.place();
        let full = self.size().0;
        title(drawing, full / 2.0, &self.title);
        let columns = self.columns.min(self.images.len()).max(1);
        let left = (full - columns as f64 * width) / 2.0;
        for (i, (image, text)) in self.images.iter().enumerate() {
            let middle = left + width * ((i % self.columns) as f64 + 0.5);
            let top = TOP + height * (i / self.columns) as f64;
            let own = self.side * image.height() as f64 / image.width().max(1) as f64;
            let (x, y) = ((middle - self.side / 2.0).round(), top + ((tall - own) / 2.0).round());
            drawing.image(x, y, self.side, own.round(), image.clone());
            drawing.frame(x - 0.5, y - 0.5, self.side + 1.0, own.round() + 1.0, Colour::GRID);
            for (k, line) in text.lines().enumerate() {
                let y = top + tall + 12.0 + LINE * k as f64;
                drawing.text(caption(middle, y, line).anchor(Anchor::Middle));
            }
        }
    }
}

fn caption(x: f64, y: f64, line: &str) -> Text {
    Text::new(x, y, line).size(11.0)
}
