//! The shared selection, and the hover that follows the same form.
//!
//! There is one selection for all panels. What the pointer rests on is written in one frame and read in the next, so the
//! order in which panels are drawn does not matter.

use golgi_data::site::Site;
use golgi_data::unit::Unit;

/// A place in the corpus of the open atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The context: a row of `contexts.parquet`.
    pub context: u32,
    /// The position in it.
    pub position: u16,
}

/// A pixel of the picture, as a convolutional network gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    /// From the left, from 0.
    pub x: u32,
    /// From the top, from 0.
    pub y: u32,
}

/// What is selected, or hovered. Everything that is not `None` is lit up in every panel that shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Position of a token in the prompt, from 0.
    pub token: Option<usize>,
    /// A layer, from 0.
    pub layer: Option<u32>,
    /// An attention head of `layer`.
    pub head: Option<u32>,
    /// A unit: a neuron, a head, a residual dimension.
    pub unit: Option<Unit>,
    /// A site.
    pub site: Option<Site>,
    /// A place in the corpus.
    pub place: Option<Place>,
    /// A pixel of the picture.
    pub spot: Option<Spot>,
}

impl Selection {
    /// Just a token.
    pub fn of_token(pos: usize) -> Selection {
        Selection { token: Some(pos), ..Selection::default() }
    }

    /// Just a layer.
    pub fn of_layer(layer: u32) -> Selection {
        Selection { layer: Some(layer), ..Selection::default() }
    }

    /// A head with its layer and its address as a unit.
    pub fn of_head(layer: u32, head: u32) -> Selection {
        let unit = Some(Unit::head(layer, head));
        Selection { layer: Some(layer), head: Some(head), unit, ..Selection::default() }
    }

    /// A unit with its layer and, where it is a head, its head; a channel with its site.
    pub fn of_unit(unit: &Unit) -> Selection {
        let layer = unit.site.layer();
        let head = layer.filter(|layer| Unit::head(*layer, unit.index) == *unit).map(|_| unit.index);
        let site = matches!(unit.site, Site::Module(_)).then(|| unit.site.clone());
        Selection { layer, head, unit: Some(unit.clone()), site, ..Selection::default() }
    }

    /// A site with its layer.
    pub fn of_site(site: &Site) -> Selection {
        Selection { layer: site.layer(), site: Some(site.clone()), ..Selection::default() }
    }

    /// Just a place in the corpus.
    pub fn of_place(context: u32, position: u16) -> Selection {
        Selection { place: Some(Place { context, position }), ..Selection::default() }
    }

    /// Just a pixel of the picture.
    pub fn of_spot(x: u32, y: u32) -> Selection {
        Selection { spot: Some(Spot { x, y }), ..Selection::default() }
    }

    /// The same with a place in the corpus.
    #[must_use]
    pub fn at_place(mut self, context: u32, position: u16) -> Selection {
        self.place = Some(Place { context, position });
        self
    }

    /// The same with a token.
    #[must_use]
    pub fn at_token(mut self, pos: usize) -> Selection {
        self.token = Some(pos);
        self
    }

    /// Whether this is head `head` of `layer`.
    pub fn is_head(&self, layer: u32, head: u32) -> bool {
        self.layer == Some(layer) && self.head == Some(head)
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// Takes over what `other` says; what it leaves open stays. A new layer ends the selection of a head, unit or site that
    /// lies elsewhere, and so does a new site of a convolutional network.
    pub fn merge(&mut self, other: &Selection) {
        if other.layer.is_some() && other.layer != self.layer {
            self.head = None;
            self.unit = None;
            self.site = None;
        }
        if matches!(other.site, Some(Site::Module(_)))
            && self.unit.as_ref().is_some_and(|unit| Some(&unit.site) != other.site.as_ref())
        {
            self.unit = None;
        }
        if other.unit.is_some() {
            // A unit says whether it is a head.
            self.head = other.head;
        }
        self.token = other.token.or(self.token);
        self.place = other.place.or(self.place);
        self.spot = other.spot.or(self.spot);
        self.layer = other.layer.or(self.layer);
        self.head = other.head.or(self.head);
        self.unit = other.unit.clone().or(self.unit.take());
        self.site = other.site.clone().or(self.site.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_unit_and_a_neuron_is_no_head() {
        assert_eq!(Selection::of_unit(&Unit::head(18, 6)), Selection::of_head(18, 6));
        assert_eq!(Selection::of_unit(&Unit::neuron(5, 6)).head, None);
    }

    #[test]
    fn a_channel_brings_its_site_and_another_site_ends_it() {
        let channel: Unit = "layer1.0.conv1:7".parse().unwrap();
        let mut selection = Selection::of_spot(3, 4);
        selection.merge(&Selection::of_unit(&channel));
        assert_eq!((&selection.site, selection.spot), (&Some(channel.site.clone()), Some(Spot { x: 3, y: 4 })));
        selection.merge(&Selection::of_site(&channel.site));
        assert_eq!(selection.unit, Some(channel));
        selection.merge(&Selection::of_site(&"layer2".parse().unwrap()));
        assert_eq!((selection.unit.is_none(), selection.spot.is_some()), (true, true));
    }

    #[test]
    fn selections_add_up_and_a_new_layer_drops_what_lies_elsewhere() {
        let mut selection = Selection::of_token(3);
        selection.merge(&Selection::of_head(18, 6));
        assert!(selection.token == Some(3) && selection.is_head(18, 6));
        selection.merge(&Selection::of_layer(2));
        assert_eq!(selection, Selection { token: Some(3), ..Selection::of_layer(2) });
        selection.merge(&Selection::of_head(2, 1));
        selection.merge(&Selection::of_unit(&Unit::neuron(2, 9)));
        assert_eq!((selection.head, selection.unit), (None, Some(Unit::neuron(2, 9))));
    }
}
