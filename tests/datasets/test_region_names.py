from brainbook.datasets.atlas import embedded_destrieux
from brainbook.datasets.region_names import region_name


def test_every_region_of_the_atlas_has_its_own_name():
    regions = embedded_destrieux().cortical
    names = [region_name(region) for region in regions]
    assert len(set(names)) == len(regions) == 74
    assert not [name for name in names if "_" in name]


def test_a_side_is_said_and_a_stranger_keeps_its_name():
    assert region_name("G_pariet_inf-Angular", "rh") == "right angular gyrus"
    assert region_name("V1", "lh") == "left V1"
    assert region_name("LATL") == "LATL"
